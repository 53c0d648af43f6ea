// The SDK's own host side of skills, which verifies what a server says of its files.
import { Client } from "@modelcontextprotocol/client";
import { SkillsClient } from "@modelcontextprotocol/client/ext/skills";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { job, tell } from "./job.mjs";

const client = new Client(
  { name: "skills", version: "1" },
  { versionNegotiation: { mode: "auto" }, capabilities: { extensions: { "io.modelcontextprotocol/skills": {} } } },
);
await client.connect(new StdioClientTransport({ ...job.server, stderr: "inherit" }));
const skills = new SkillsClient(client);
const { skills: [entry], ttlMs, cacheScope } = await skills.list();
const got = await skills.get(entry.uri);
const file = await skills.read(entry);
const refused = await skills.get("skill://other/SKILL.md").catch((error) => error.code);
const { supported } = skills;
await client.close();
tell({
  supported, ttlMs, cacheScope, same: JSON.stringify(got.skill) === JSON.stringify(entry),
  verified: file.verified, frontmatter: file.frontmatter, body: file.body, refused,
});
