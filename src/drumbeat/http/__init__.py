"""Three contracts and a face; the only place that knows the web framework."""
