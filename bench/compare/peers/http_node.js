// SPDX-License-Identifier: MIT
// http_node.js - what Node's own modules make of each job; see ../jobs.py
//
// usage: node http_node.js PORT JOB BODY
"use strict";

const http = require("http");
const net = require("net");

const [port, job, body] = process.argv.slice(2);

function reply(response, type, text) {
    response.writeHead(200, { "Content-Type": type, "Content-Length": Buffer.byteLength(text) });
    response.end(text);
}

const handlers = {
    hello: (request, response) => reply(response, "text/html", body),
    timers: (request, response) => setTimeout(() => reply(response, "text/html", body), 10),
    json: (request, response) =>
        reply(response, "application/json", JSON.stringify({ message: "Hello, World!" })),
    upload: (request, response) => {
        let total = 0;
        request.on("data", (piece) => { total += piece.length; });
        request.on("end", () => reply(response, "text/plain", String(total)));
    },
};

function serveHttp() {
    const server = http.createServer(handlers[job]);
    server.keepAliveTimeout = 600000;
    return server;
}

const server = job === "echo" ? net.createServer((socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
}) : serveHttp();

server.listen({ host: "127.0.0.1", port: Number(port), backlog: 4096 });
