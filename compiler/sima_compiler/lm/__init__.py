"""The `.lm` binary: declaration, writer, reader, compression, listing. The only place that knows the bits."""
