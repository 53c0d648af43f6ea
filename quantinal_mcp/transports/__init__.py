"""How clients reach the server: stdio, and Streamable HTTP behind a gate."""
