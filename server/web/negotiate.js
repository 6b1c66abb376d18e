/** Offer and answer over HTTP, common to WHEP and WHIP. */

import { ask } from "./api.js";

const GATHERING = 2_000; // ms; candidates found by then go into the offer
const PARAMETER = /;\s*([\w!#$&+.^`|~*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))\s*/g;
const LINK = new RegExp(`<([^>]*)>\\s*((?:${PARAMETER.source})*)`, "g"); // RFC 8288

/**
 * The STUN and TURN servers that an endpoint announces to authorised clients (RFC 9725, 4.6). Offers
 * hold all candidates, so the servers must be known before the first offer.
 *
 * @param {string} url of the endpoint.
 * @param {{token: string, signal: AbortSignal}} options
 * @returns {Promise<RTCIceServer[]>}
 */
export async function iceServers(url, { token, signal }) {
  const answer = await ask(url, { method: "OPTIONS", token, signal });
  const links = answer.headers.get("Link") ?? "";
  return [...links.matchAll(LINK)]
    .map(([, target, text]) => [target, parameters(text)])
    .filter(([, { rel }]) => rel === "ice-server")
    .map(([urls, { username, credential }]) => ({ urls, username, credential }));
}

/**
 * Connect a peer to an endpoint.
 *
 * @param {RTCPeerConnection} connection with its transceivers.
 * @param {string} url of the endpoint.
 * @param {{token: string, signal: AbortSignal, amend: (sdp: string) => string}} options
 * @returns {Promise<string>} URL of the created resource, to be deleted at the end.
 */
export async function negotiate(connection, url, { token, signal, amend = (sdp) => sdp }) {
  const offer = await connection.createOffer();
  await connection.setLocalDescription({ type: "offer", sdp: amend(offer.sdp) });
  await gathered(connection);
  const body = connection.localDescription.sdp;
  const answer = await ask(url, { method: "POST", type: "application/sdp", token, body, signal });
  // A proxy that serves the daemon below a path may have left the path out.
  const location = new URL(url, document.baseURI);
  location.search = "";
  location.pathname += `/${answer.headers.get("Location").split("/").pop()}`;
  try {
    await connection.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  } catch (error) {
    release(location.href, token);
    throw error;
  }
  return location.href;
}

/** Delete the created resource, even while the page is being closed. */
export function release(location, token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  fetch(location, { method: "DELETE", headers, keepalive: true }).catch(() => {});
}

/** Resolves when connected; rejects when that fails or takes longer than `within` ms. */
export function connected(connection, within) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done(new Error("WebRTC found no way to the server.")), within);
    const look = () => {
      if (connection.connectionState === "connected") done();
      if (["failed", "closed"].includes(connection.connectionState)) {
        done(new Error("The WebRTC connection failed."));
      }
    };
    const done = (error) => {
      clearTimeout(timer);
      connection.removeEventListener("connectionstatechange", look);
      if (error) reject(error);
      else resolve();
    };
    connection.addEventListener("connectionstatechange", look);
    look();
  });
}

/** Statistics of a connection by kind; of several of a kind, the last that is in use. */
export async function statistics(connection) {
  const found = {};
  for (const entry of (await connection.getStats()).values()) {
    if (entry.type === "candidate-pair" && !entry.nominated) continue;
    found[entry.kind ? `${entry.type} ${entry.kind}` : entry.type] = entry;
    found[entry.id] = entry;
  }
  return found;
}

/** Parameters of a link by name. */
function parameters(text) {
  const found = [...text.matchAll(PARAMETER)];
  return Object.fromEntries(
    found.map(([, name, quoted, token]) => [
      name.toLowerCase(),
      quoted?.replace(/\\(.)/g, "$1") ?? token,
    ]),
  );
}

function gathered(connection) {
  return new Promise((resolve) => {
    const look = () => {
      if (connection.iceGatheringState === "complete") resolve();
    };
    connection.addEventListener("icegatheringstatechange", look);
    setTimeout(resolve, GATHERING);
    look();
  });
}
