"""HTTP: the one place that knows responses, connections and sockets of HTTP libraries."""
