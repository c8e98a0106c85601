"""The client of the benchmarks: plain sockets, prepared bytes, and as little work as the checks allow."""
