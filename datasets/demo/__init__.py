"""The demo renderer: three tiny datasets in the official layouts, made on first use."""
