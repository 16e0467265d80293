"""runtime - sockets, clocks, resolver and the one visible place where everything meets (wiring)."""
