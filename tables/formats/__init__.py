"""formats - how one map is stored and searched, a file per Postfix table type."""
