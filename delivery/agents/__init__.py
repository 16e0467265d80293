"""agents - one file for each way of handing a message on; each says what is durable when."""
