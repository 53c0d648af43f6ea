// The TypeScript SDK 2.x, which speaks both eras.
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { job, tell } from "./job.mjs";

const client = new Client({ name: "typescript-2", version: "1" });
await client.connect(new StdioClientTransport({ ...job.server, stderr: "inherit" }));
const { tools } = await client.listTools();
const ticks = [];
const result = await client.callTool({ name: job.tool, arguments: job.arguments }, {
  onprogress: (tick) => ticks.push(tick),
});
await client.close();
tell({ tools: tools.map((tool) => tool.name), run: result.structuredContent, ticks: ticks.length });
