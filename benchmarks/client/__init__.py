"""The client of the benchmarks: plain sockets, prebuilt bytes, and as little work as the checks allow."""
