"""leakscan finds the identifiers that networks and apps put into plain HTTP requests."""

__version__ = "0.1.0"
