"""All HTTP rules: responses, clients, headers, connections and sockets."""
