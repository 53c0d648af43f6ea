// The TypeScript SDK 1.x, of the handshake era.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { job, tell } from "./job.mjs";

const client = new Client({ name: "typescript-1", version: "1" });
await client.connect(new StdioClientTransport({ ...job.server, stderr: "inherit" }));
const { tools } = await client.listTools();
const ticks = [];
const result = await client.callTool({ name: job.tool, arguments: job.arguments }, undefined, {
  onprogress: (tick) => ticks.push(tick),
});
await client.close();
tell({ tools: tools.map((tool) => tool.name), run: result.structuredContent, ticks: ticks.length });
