import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HexFormat;
import java.util.Locale;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

import org.eclipse.californium.core.coap.CoAP;
import org.eclipse.californium.core.coap.OptionSet;
import org.eclipse.californium.core.coap.Request;
import org.eclipse.californium.core.coap.Response;
import org.eclipse.californium.core.config.CoapConfig;
import org.eclipse.californium.core.network.CoapEndpoint;
import org.eclipse.californium.elements.config.Configuration;
import org.json.JSONObject;

/**
 * A client made with Californium: takes one JSON object a line, asks, and answers with one; all at once, each from a
 * port of its own.
 */
class CaliforniumClient {
    private static final HexFormat HEX = HexFormat.of();
    private static final Configuration CONFIGURATION;

    static {
        CoapConfig.register();
        CONFIGURATION = Configuration.createStandardWithoutFile();
    }

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
        return request;
    }

    static JSONObject told(Response response) {
        JSONObject told = new JSONObject();
        told.put("code", response.getCode().text);
        told.put("payload", HEX.formatHex(response.getPayload() == null ? new byte[0] : response.getPayload()));
        boolean tagged = response.getOptions().getETagCount() > 0;
        told.put("etag", tagged ? HEX.formatHex(response.getOptions().getETags().get(0)) : JSONObject.NULL);
        return told;
    }

    static JSONObject asked(JSONObject ask) throws Exception {
        CoapEndpoint endpoint = CoapEndpoint.builder().setConfiguration(CONFIGURATION).build();
        try {
            endpoint.start();
            Request request = request(ask);
            request.send(endpoint);
            Response response = request.waitForResponse(60_000);
            return response != null ? told(response) : new JSONObject().put("error", "no response to " + request);
        } finally {
            endpoint.destroy();
        }
    }

    static void answer(String line) {
        JSONObject ask = new JSONObject(line);
        JSONObject told;
        try {
            told = asked(ask);
        } catch (Exception error) {
            told = new JSONObject().put("error", error.toString());
        }
        told.put("id", ask.getLong("id"));
        synchronized (System.out) {
            System.out.println(told);
        }
    }

    public static void main(String[] words) throws Exception {
        ExecutorService askers = Executors.newCachedThreadPool();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        System.out.println("ready");
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String ask = line;
            askers.execute(() -> answer(ask));
        }
        askers.shutdown();
    }
}
