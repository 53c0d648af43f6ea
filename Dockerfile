# Serves many accounts: each request brings its own token, so none is built in or given here. Plain HTTP: put TLS in
# front, and name the hosts it is reached under, for example
#   docker run -p 8000:8000 -e QUANTINAL_ALLOWED_HOSTS=mcp.example.com quantinal-mcp
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY quantinal_mcp ./quantinal_mcp
RUN python -m venv /app && /app/bin/pip install --no-cache-dir ".[postgres]"

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin quantinal
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s CMD ["python", "-c", "import http.client, os, sys; server = http.client.HTTPConnection('127.0.0.1', int(os.environ.get('QUANTINAL_PORT') or 8000), timeout=3); server.request('GET', '/health'); sys.exit(server.getresponse().status != 200)"]
ENTRYPOINT ["quantinal-mcp"]
CMD ["serve", "--transport", "http", "--host", "0.0.0.0"]
