"""The HTTP side of the daemon: the application, its guards and its routers."""
