// A host as its SDK has it: a sandboxed frame, and the official bridge on this side of it.
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

const stage = { sizes: [], heard: [], bridge: null, frame: null };
globalThis.stage = stage;

stage.raise = async ({ url, width, height, context, capabilities, input, result }) => {
  const frame = document.createElement("iframe");
  frame.setAttribute("sandbox", "allow-scripts");
  frame.style.cssText = `display: block; border: 0; width: ${width}px; height: ${height}px`;
  document.body.replaceChildren(frame);
  stage.frame = frame;
  stage.sizes.length = stage.heard.length = 0;
  stage.bridge = new AppBridge(null, { name: "stage", version: "1.0.0" }, capabilities, { hostContext: context });
  stage.bridge.onsizechange = (size) => {
    stage.sizes.push(size);
    frame.style.height = `${size.height}px`;
  };
  stage.bridge.oncalltool = (params) => globalThis.callTool(params);
  const ready = new Promise((resolve) => { stage.bridge.oninitialized = resolve; });
  await stage.bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow));
  frame.src = url;
  await ready;
  if (input) await stage.bridge.sendToolInput({ arguments: input });
  if (result) await stage.bridge.sendToolResult(result);
};

// What the page answers to a request as it stands, past the bridge.
stage.ask = (method, params = {}) => new Promise((resolve) => {
  const id = `raw ${stage.heard.length}`;
  stage.heard.push(method);
  addEventListener("message", function listen({ source, data }) {
    if (source !== stage.frame.contentWindow || data?.id !== id) return;
    removeEventListener("message", listen);
    resolve(data);
  });
  stage.frame.contentWindow.postMessage({ jsonrpc: "2.0", id, method, params }, "*");
});
