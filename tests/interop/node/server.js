// A server made with node-coap: server.js ADDRESS PORT; says `listening on` once it can be asked. Where ADDRESS is a group, it
// has all addresses, and is a member.
//
// node-coap leaves to the application what it does not do itself: methods, ETags, preconditions, the list of links,
// observers.
"use strict";
const net = require("net");
const coap = require("coap");

coap.registerOption("ETag", (octets) => octets, (octets) => octets); // node-coap makes texts of them
const MERGE_PATCH = "application/merge-patch+json";

function all(request, name) {
    return request.options.filter((option) => option.name === name).map((option) => option.value);
}

function end(response, code, payload) {
    response.code = code;
    response.end(payload);
}

// A value that all four methods act upon, with an ETag, preconditions and observers.
class Value {
    constructor(body, maxAge) {
        this.body = body === undefined ? null : Buffer.from(body);
        this.maxAge = maxAge;
        this.version = 1;
        this.observers = new Map();
    }

    etag() {
        return Buffer.of(this.version >> 8, this.version & 0xff);
    }

    failed(request) {
        const wanted = all(request, "If-Match");
        if (this.body && all(request, "If-None-Match").length)
            return true;
        return wanted.length > 0 && !(this.body && wanted.some((etag) => !etag.length || etag.equals(this.etag())));
    }

    describe(response) {
        response.setOption("Content-Format", "text/plain");
        response.setOption("ETag", this.etag());
        if (this.maxAge !== undefined)
            response.setOption("Max-Age", this.maxAge);
    }

    get(request, response) {
        if (!this.body) {
            end(response, "4.04");
        } else if (all(request, "ETag").some((etag) => etag.equals(this.etag()))) {
            response.setOption("ETag", this.etag());
            end(response, "2.03");
        } else {
            this.describe(response);
            response.end(this.body);
        }
    }

    // A response to a GET with an Observe option of 0 is a stream: each write is a notification.
    observe(key, response) {
        if (!this.body) {
            response.statusCode = "4.04";
            response.end();
            return;
        }
        this.observers.set(key, response);
        response.on("finish", () => this.observers.get(key) === response && this.observers.delete(key));
        this.describe(response);
        response.write(this.body);
    }

    change(request, response, body, code) {
        if (this.failed(request)) {
            end(response, "4.12");
            return;
        }
        this.body = body;
        this.version++;
        end(response, code);
        for (const observer of this.observers.values()) {
            if (body)
                this.describe(observer);
            observer.statusCode = body ? "2.05" : "4.04";
            observer.write(body || Buffer.alloc(0));
            if (!body)
                observer.end();
        }
    }

    handle(request, response) {
        const key = `${request.rsinfo.port} ${request._packet.token.toString("hex")}`;
        if (request.method === "GET" && request.headers.Observe === 0) {
            this.observe(key, response);
            return;
        }
        if (request.method === "GET" && request.headers.Observe === 1)
            this.observers.delete(key);
        if (request.method === "GET")
            this.get(request, response);
        else if (request.method === "PUT")
            this.change(request, response, request.payload, this.body ? "2.04" : "2.01");
        else if (request.method === "POST")
            this.change(request, response, request.payload, "2.04");
        else if (request.method === "DELETE")
            this.change(request, response, null, "2.02");
        else
            end(response, "4.05");
    }
}

// A JSON object: a FETCH names one of its members, PATCH and iPATCH merge (RFC 7396) what is flat.
const document = {
    members: {a: 1, b: 2},
    handle(request, response) {
        if (request.method === "FETCH") {
            response.end(JSON.stringify(this.members[request.payload.toString()]));
        } else if (request.method === "GET") {
            response.setOption("Content-Format", "application/json");
            response.end(JSON.stringify(this.members));
        } else if (request.headers["Content-Format"] !== MERGE_PATCH) {
            end(response, "4.15");
        } else {
            Object.assign(this.members, JSON.parse(request.payload));
            this.members = Object.fromEntries(Object.entries(this.members).filter((each) => each[1] !== null));
            end(response, "2.04");
        }
    },
};

// Answers after its empty acknowledgement has left, which it does after 50 ms.
const slow = {
    handle(request, response) {
        response.setOption("Content-Format", "text/plain");
        setTimeout(() => response.end("that took a while"), 500);
    },
};

// Counts how often POST was executed.
const count = {
    posts: 0,
    handle(request, response) {
        if (request.method === "POST") {
            this.posts++;
            end(response, "2.04");
        } else {
            response.end(String(this.posts));
        }
    },
};

const resources = {
    "/test": new Value("21.5"), "/validate": new Value("state"), "/large": new Value("0123456789".repeat(300)),
    "/made": new Value(), "/gone": new Value("x"), "/big": new Value(), "/brief": new Value("1", 1),
    "/document": document, "/slow": slow, "/count": count,
    "/v": new Value("01234567890123456789"), // of the measurements
};
resources["/.well-known/core"] = {
    handle(request, response) {
        response.setOption("Content-Format", "application/link-format");
        response.end(Object.keys(resources).map((path) => `<${path}>`).join(","));
    },
};

const [address, port] = process.argv.slice(2);
const groups = new net.BlockList();
groups.addSubnet("224.0.0.0", 4);
groups.addSubnet("ff00::", 8, "ipv6");
const member = groups.check(address, net.isIPv6(address) ? "ipv6" : "ipv4");
const anywhere = net.isIPv6(address) ? "::" : "0.0.0.0";
const server = coap.createServer(member ? {multicastAddress: address} : {}, (request, response) => {
    response.on("error", (error) => console.log(String(error)));
    const found = resources[request.url.split("?")[0]];
    if (found)
        found.handle(request, response);
    else
        end(response, "4.04");
});
server.listen(Number(port), member ? anywhere : address, () => console.log("listening on", port));
