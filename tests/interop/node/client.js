// A client made with node-coap: takes one JSON object a line, asks, and answers with one, or with one for each state that
// it observes, or for each member of a group; all at once, each from a port of its own.
"use strict";
const dgram = require("dgram");
const net = require("net");
const readline = require("readline");
const coap = require("coap");

coap.registerOption("ETag", (octets) => octets, (octets) => octets); // node-coap makes texts of them
const LARGEST = 6; // the SZX of the largest block
const LINGER = 3000; // milliseconds that a socket stays open for what was not acknowledged
const observed = new Map();
const groups = new net.BlockList();
groups.addSubnet("224.0.0.0", 4);
groups.addSubnet("ff00::", 8, "ipv6");

function tell(told) {
    console.log(JSON.stringify(told));
}

function answer(id, response, payload) {
    const etag = response.options.find((option) => option.name === "ETag");
    tell({id, code: response.code, payload: payload.toString("hex"), etag: etag && etag.value.toString("hex"),
          observe: response.headers.Observe, size2: response.headers.Size2});
}

function finish(socket) {
    setTimeout(() => socket.close(), LINGER);
}

function describe(request, ask, payload) {
    const szx = ask.szx === null ? LARGEST : ask.szx;
    if (payload.length > 16 << szx)
        request.setOption("Block1", Buffer.of(szx));
    else if (ask.szx !== null && !payload.length)
        request.setOption("Block2", Buffer.of(szx));
    if (ask.format !== null)
        request.setOption("Content-Format", ask.format);
    if (ask.accept !== null)
        request.setOption("Accept", ask.accept);
    if (ask.etag !== null)
        request.setOption("ETag", Buffer.from(ask.etag, "hex"));
    if (ask.if_match !== null)
        request.setOption("If-Match", Buffer.from(ask.if_match, "hex"));
    if (ask.if_none_match)
        request.setOption("If-None-Match", Buffer.alloc(0));
    for (const option of ask.options)
        request.setOption(String(option.number), Buffer.from(option.value, "hex"));
}

function send(ask) {
    const uri = new URL(ask.uri), hostname = uri.hostname.replace(/[[\]]/g, "");
    const multicast = groups.check(hostname, net.isIPv6(hostname) ? "ipv6" : "ipv4");
    const socket = dgram.createSocket(net.isIPv6(hostname) ? "udp6" : "udp4");
    const request = coap.request({
        agent: new coap.Agent({socket}), hostname, port: uri.port || undefined, pathname: uri.pathname, multicast,
        query: uri.search.slice(1), method: ask.method === "ipatch" ? "iPATCH" : ask.method.toUpperCase(),
        confirmable: !ask.non, observe: ask.observe ? true : undefined,
    });
    const payload = Buffer.from(ask.payload, "hex");
    describe(request, ask, payload);
    request.on("error", (error) => tell({id: ask.id, error: String(error)}));
    request.on("timeout", (error) => tell({id: ask.id, error: String(error)}));
    request.on("response", (response) => {
        if (!ask.observe) {
            answer(ask.id, response, response.payload);
            if (!multicast)
                finish(socket);
            return;
        }
        // node-coap takes a notification without Observe, as each is that ends with an error, for number 0, and drops it as old
        // where the number before was under 2^23, which ours is for half of the time.
        response._disableFiltering = true;
        observed.set(ask.id, {response, socket});
        response.on("data", (state) => answer(ask.id, response, state));
    });
    request.end(payload.length ? payload : undefined);
}

function cancel(ask) {
    const {response, socket} = observed.get(ask.cancel);
    observed.delete(ask.cancel);
    response.close(true);
    finish(socket);
    tell({id: ask.id, code: "0.00", payload: ""});
}

const lines = readline.createInterface({input: process.stdin});
lines.on("line", (line) => {
    const ask = JSON.parse(line);
    if (ask.cancel)
        cancel(ask);
    else
        send(ask);
});
lines.on("close", () => process.exit(0));
console.log("ready");
