import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;

import org.eclipse.californium.core.CoapClient;
import org.eclipse.californium.core.CoapHandler;
import org.eclipse.californium.core.CoapObserveRelation;
import org.eclipse.californium.core.CoapResponse;
import org.eclipse.californium.core.coap.CoAP;
import org.eclipse.californium.core.coap.MessageObserverAdapter;
import org.eclipse.californium.core.coap.Option;
import org.eclipse.californium.core.coap.OptionSet;
import org.eclipse.californium.core.coap.Request;
import org.eclipse.californium.core.coap.Response;
import org.eclipse.californium.core.coap.option.OptionRegistry;
import org.eclipse.californium.core.coap.option.StandardOptionRegistry;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.json.JSONObject;

/**
 * A client made with Californium: takes one JSON object a line, asks, and answers with one, or with one for each state
 * that it observes, or for each member of a group; all at once, each from a port of its own.
 */
class CaliforniumClient {
    private static final HexFormat HEX = HexFormat.of();
    private static final OptionRegistry REGISTRY = StandardOptionRegistry.getDefaultOptionRegistry();
    /** Milliseconds that an endpoint stays for what was not acknowledged. */
    private static final int LINGER = 3000;
    private static final Map<Long, BlockingQueue<Long>> OBSERVATIONS = new ConcurrentHashMap<>();

    static Request request(JSONObject ask) {
        Request request = new Request(CoAP.Code.valueOf(ask.getString("method").toUpperCase(Locale.ROOT)));
        request.setConfirmable(!ask.getBoolean("non"));
        request.setURI(ask.getString("uri"));
        byte[] payload = HEX.parseHex(ask.getString("payload"));
        if (payload.length > 0) {
            request.setPayload(payload);
        }
        OptionSet options = request.getOptions();
        if (!ask.isNull("format")) {
            options.setContentFormat(ask.getInt("format"));
        }
        if (!ask.isNull("accept")) {
            options.setAccept(ask.getInt("accept"));
        }
        if (!ask.isNull("etag")) {
            options.addETag(HEX.parseHex(ask.getString("etag")));
        }
        if (!ask.isNull("if_match")) {
            options.addIfMatch(HEX.parseHex(ask.getString("if_match")));
        }
        options.setIfNoneMatch(ask.getBoolean("if_none_match"));
        if (ask.getBoolean("observe")) {
            request.setObserve();
        }
        for (Object each : ask.getJSONArray("options")) {
            JSONObject option = (JSONObject) each;
            options.addOption(new Option(REGISTRY.getDefinitionByNumber(option.getInt("number")),
                    HEX.parseHex(option.getString("value"))));
        }
        return request;
    }

    static void say(long id, JSONObject told) {
        told.put("id", id);
        synchronized (System.out) {
            System.out.println(told);
        }
    }

    static void say(long id, Response response) {
        OptionSet options = response.getOptions();
        JSONObject told = new JSONObject();
        told.put("code", response.getCode().text);
        told.put("payload", HEX.formatHex(response.getPayload() == null ? new byte[0] : response.getPayload()));
        told.put("etag", options.getETagCount() > 0 ? HEX.formatHex(options.getETags().get(0)) : JSONObject.NULL);
        told.put("observe", options.hasObserve() ? options.getObserve() : JSONObject.NULL);
        told.put("size2", options.hasSize2() ? options.getSize2() : JSONObject.NULL);
        say(id, told);
    }

    static void sayError(long id, String what) {
        say(id, new JSONObject().put("error", what));
    }

    /** Says each state until somebody cancels. */
    static void observe(long id, CoapEndpoint endpoint, Request request) throws InterruptedException {
        CoapClient client = new CoapClient().setEndpoint(endpoint);
        CoapObserveRelation relation = client.observe(request, new CoapHandler() {
            @Override
            public void onLoad(CoapResponse response) {
                say(id, response.advanced());
            }

            @Override
            public void onError() {
                sayError(id, "no response to " + request);
            }
        });
        long cancelling = OBSERVATIONS.get(id).take();
        relation.proactiveCancel();
        client.shutdown();
        say(cancelling, new JSONObject());
    }

    /** Says what each member answers. */
    static void askGroup(long id, CoapEndpoint endpoint, Request request) throws InterruptedException {
        request.addMessageObserver(new MessageObserverAdapter() {
            @Override
            public void onResponse(Response response) {
                say(id, response);
            }
        });
        request.send(endpoint);
        Thread.sleep(120_000);
    }

    static void ask(long id, JSONObject ask, JSONObject held) {
        Configuration configuration = Configuration.createStandardWithoutFile();
        configuration.set(CoapConfig.MAX_RESOURCE_BODY_SIZE, 1 << 21);
        configuration.set(CoapConfig.MID_TRACKER, CoapConfig.TrackerMode.MAPBASED); // lets it use all 65,536 of them
        configuration.set(CoapConfig.PREFERRED_BLOCK_SIZE, 1 << (ask.isNull("szx") ? 6 : ask.getInt("szx")) + 4);
        CoapEndpoint.Builder builder = CoapEndpoint.builder().setConfiguration(configuration);
        CoapEndpoint endpoint = null;
        try {
            if (held != null) {
                builder.setConnector(Secure.connector(configuration, new InetSocketAddress(0), held));
            }
            endpoint = builder.build();
            endpoint.start();
            Request request = request(ask);
            if (!ask.isNull("szx") && request.getPayloadSize() == 0) {
                request.getOptions().setBlock2(ask.getInt("szx"), false, 0);
            }
            if (request.isObserve()) {
                observe(id, endpoint, request);
                return;
            }
            if (request.isMulticast()) {
                askGroup(id, endpoint, request);
                return;
            }
            request.send(endpoint);
            Response response = request.waitForResponse(120_000);
            if (response != null) {
                say(id, response);
                if (held == null) {
                    Thread.sleep(LINGER); // DTLS says a goodbye, which must not come when another has begun
                }
            } else {
                sayError(id, "no response to " + request + ", " + request.getSendError());
            }
        } catch (IOException | GeneralSecurityException | InterruptedException error) {
            sayError(id, error.toString());
        } finally {
            if (endpoint != null) {
                endpoint.destroy();
            }
        }
    }

    public static void main(String[] words) throws IOException {
        CoapConfig.register();
        DtlsConfig.register();
        JSONObject held = words.length > 0 ? new JSONObject(words[0]) : null;
        ExecutorService askers = Executors.newCachedThreadPool();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("ready");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JSONObject ask = new JSONObject(line);
            long id = ask.getLong("id");
            if (ask.has("cancel")) {
                OBSERVATIONS.get(ask.getLong("cancel")).add(id);
                continue;
            }
            if (ask.getBoolean("observe")) {
                OBSERVATIONS.put(id, new LinkedBlockingQueue<>());
            }
            askers.execute(() -> ask(id, ask, held));
        }
        System.exit(0); // whatever nobody waits for
    }
}
