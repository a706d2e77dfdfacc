"""What goes wrong between a server and a page, for every source that it can happen to."""
