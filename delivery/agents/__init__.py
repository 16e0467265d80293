"""agents - one file for each way of handing a message on; each docstring says what is durable when."""
