import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

import org.eclipse.californium.core.CoapResource;
import org.eclipse.californium.core.CoapServer;
import org.eclipse.californium.core.coap.CoAP.ResponseCode;
import org.eclipse.californium.core.coap.MediaTypeRegistry;
import org.eclipse.californium.core.coap.Response;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.core.server.resources.CoapExchange;
import org.eclipse.californium.elements.UDPConnector;
import org.eclipse.californium.elements.UdpMulticastConnector;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.json.JSONObject;

/**
 * A server made with Californium: CaliforniumServer ADDRESS PORT [SZX [HELD]]; says `listening on` once it can be asked.
 * Its blocks have 2^(SZX + 4) octets at most. With what is held (see Secure) it speaks DTLS. Where ADDRESS is a group, it
 * has all addresses, and is a member.
 */
class CaliforniumServer {
    /** A value that all four methods act upon, with an ETag, preconditions and observers. */
    static class Value extends CoapResource {
        private final Integer maxAge;
        private byte[] value;
        private int version = 1;

        Value(String name, byte[] value) {
            this(name, value, null);
        }

        Value(String name, byte[] value, Integer maxAge) {
            super(name);
            this.value = value;
            this.maxAge = maxAge;
            setObservable(true);
            getAttributes().setObservable();
        }

        private byte[] etag() {
            return new byte[] {(byte) (version >> 8), (byte) version};
        }

        private boolean failed(CoapExchange exchange) {
            List<byte[]> wanted = exchange.getRequestOptions().getIfMatch();
            if (value != null && exchange.getRequestOptions().hasIfNoneMatch()) {
                return true;
            }
            return !wanted.isEmpty() && (value == null
                    || wanted.stream().noneMatch(etag -> etag.length == 0 || Arrays.equals(etag, etag())));
        }

        private synchronized void change(CoapExchange exchange, byte[] value, ResponseCode code) {
            if (failed(exchange)) {
                exchange.respond(ResponseCode.PRECONDITION_FAILED);
                return;
            }
            this.value = value;
            version++;
            exchange.respond(code);
            if (value == null) {
                clearAndNotifyObserveRelations(ResponseCode.NOT_FOUND);
            } else {
                changed();
            }
        }

        @Override
        public synchronized void handleGET(CoapExchange exchange) {
            if (value == null) {
                exchange.respond(ResponseCode.NOT_FOUND);
                return;
            }
            boolean valid = exchange.getRequestOptions().containsETag(etag());
            Response response = new Response(valid ? ResponseCode.VALID : ResponseCode.CONTENT);
            response.getOptions().addETag(etag());
            if (maxAge != null) {
                response.getOptions().setMaxAge(maxAge);
            }
            if (!valid) {
                response.getOptions().setContentFormat(MediaTypeRegistry.TEXT_PLAIN);
                response.setPayload(value);
            }
            exchange.respond(response);
        }

        @Override
        public void handlePUT(CoapExchange exchange) {
            change(exchange, exchange.getRequestPayload(), value == null ? ResponseCode.CREATED : ResponseCode.CHANGED);
        }

        @Override
        public void handlePOST(CoapExchange exchange) {
            change(exchange, exchange.getRequestPayload(), ResponseCode.CHANGED);
        }

        @Override
        public void handleDELETE(CoapExchange exchange) {
            change(exchange, null, ResponseCode.DELETED);
        }
    }

    /** A JSON object: a FETCH names one of its members, PATCH and iPATCH merge (RFC 7396) what is flat. */
    static class Document extends CoapResource {
        private static final int MERGE_PATCH = 52;
        private final JSONObject document = new JSONObject("{\"a\":1,\"b\":2}");

        Document() {
            super("document");
        }

        @Override
        public synchronized void handleGET(CoapExchange exchange) {
            exchange.respond(ResponseCode.CONTENT, document.toString(), MediaTypeRegistry.APPLICATION_JSON);
        }

        @Override
        public synchronized void handleFETCH(CoapExchange exchange) {
            exchange.respond(ResponseCode.CONTENT, document.get(exchange.getRequestText()).toString());
        }

        @Override
        public synchronized void handlePATCH(CoapExchange exchange) {
            if (exchange.getRequestOptions().getContentFormat() != MERGE_PATCH) {
                exchange.respond(ResponseCode.UNSUPPORTED_CONTENT_FORMAT);
                return;
            }
            JSONObject patch = new JSONObject(exchange.getRequestText());
            patch.keySet().forEach(name -> document.put(name, patch.isNull(name) ? null : patch.get(name)));
            exchange.respond(ResponseCode.CHANGED);
        }

        @Override
        public void handleIPATCH(CoapExchange exchange) {
            handlePATCH(exchange);
        }
    }

    /** Answers after its empty acknowledgement has left. */
    static class Slow extends CoapResource {
        Slow() {
            super("slow");
        }

        @Override
        public void handleGET(CoapExchange exchange) {
            exchange.accept();
            try {
                Thread.sleep(500);
            } catch (InterruptedException ended) {
                throw new IllegalStateException(ended);
            }
            exchange.respond(ResponseCode.CONTENT, "that took a while");
        }
    }

    /** Counts how often POST was executed. */
    static class Count extends CoapResource {
        private int posts;

        Count() {
            super("count");
        }

        @Override
        public synchronized void handleGET(CoapExchange exchange) {
            exchange.respond(ResponseCode.CONTENT, Integer.toString(posts));
        }

        @Override
        public synchronized void handlePOST(CoapExchange exchange) {
            posts++;
            exchange.respond(ResponseCode.CHANGED);
        }
    }

    static byte[] octets(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** What has all addresses, and hears what goes to a group on any interface. */
    static UDPConnector member(Configuration configuration, InetSocketAddress group) throws IOException {
        UDPConnector connector = new UDPConnector(new InetSocketAddress(group.getPort()), configuration);
        connector.setReuseAddress(true);
        for (NetworkInterface each : Collections.list(NetworkInterface.getNetworkInterfaces())) {
            if (each.supportsMulticast()) {
                InetAddress there = group.getAddress() instanceof Inet6Address
                        ? Inet6Address.getByAddress(null, group.getAddress().getAddress(), each) : group.getAddress();
                connector.addMulticastReceiver(new UdpMulticastConnector.Builder().setConfiguration(configuration)
                        .setLocalAddress(there, group.getPort()).addMulticastGroup(there, each)
                        .setMulticastReceiver(true).build());
            }
        }
        return connector;
    }

    public static void main(String[] words) throws IOException, GeneralSecurityException {
        CoapConfig.register();
        DtlsConfig.register();
        Configuration configuration = Configuration.createStandardWithoutFile();
        configuration.set(CoapConfig.MAX_RESOURCE_BODY_SIZE, 1 << 21);
        if (words.length > 2) {
            configuration.set(CoapConfig.PREFERRED_BLOCK_SIZE, 1 << Integer.parseInt(words[2]) + 4);
        }
        InetSocketAddress address = new InetSocketAddress(words[0], Integer.parseInt(words[1]));
        CoapEndpoint.Builder builder = CoapEndpoint.builder().setConfiguration(configuration);
        if (words.length > 3) {
            builder.setConnector(Secure.connector(configuration, address, new JSONObject(words[3])));
        } else if (address.getAddress().isMulticastAddress()) {
            builder.setConnector(member(configuration, address));
        } else {
            builder.setInetSocketAddress(address);
        }
        CoapServer server = new CoapServer(configuration);
        server.addEndpoint(builder.build());
        server.add(new Value("test", octets("21.5")), new Value("validate", octets("state")),
                new Value("large", octets("0123456789".repeat(300))), new Value("made", null),
                new Value("gone", octets("x")), new Value("big", null),
                new Value("v", octets("01234567890123456789")), // of the measurements
                new Value("brief", octets("1"), 1), new Document(), new Slow(), new Count());
        server.start();
        System.out.println("listening on " + words[1]);
    }
}
