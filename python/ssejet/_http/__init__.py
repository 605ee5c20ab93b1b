"""HTTP: all that ssejet knows of responses, clients, headers, connections and sockets."""
