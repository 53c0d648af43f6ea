// How a host starts a bundle: the bundle library's own reading of the manifest and of what the user filled in.
import { readFileSync } from "node:fs";
import { getMcpConfigForManifest } from "@anthropic-ai/mcpb";
import { job, tell } from "./job.mjs";

tell(
  await getMcpConfigForManifest({
    manifest: JSON.parse(readFileSync(`${job.directory}/manifest.json`, "utf-8")),
    extensionPath: job.directory,
    systemDirs: {},
    userConfig: job.userConfig,
    pathSeparator: "/",
  }),
);
