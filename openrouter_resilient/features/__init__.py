"""What is made of calls: one file each, reached from the client by one late import."""
