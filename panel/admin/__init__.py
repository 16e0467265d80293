"""admin - the browser's pages, one file per model file."""
