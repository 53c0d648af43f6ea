"""`check --contract`: where the live service differs from its documents, as far as reading can tell."""
