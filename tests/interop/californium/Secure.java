import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;

import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.elements.util.SslContextUtil;
import org.eclipse.californium.scandium.DTLSConnector;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConnectorConfig;
import org.eclipse.californium.scandium.dtls.CertificateType;
import org.eclipse.californium.scandium.dtls.cipher.CipherSuite;
import org.eclipse.californium.scandium.dtls.pskstore.AdvancedSinglePskStore;
import org.eclipse.californium.scandium.dtls.x509.SingleCertificateProvider;
import org.eclipse.californium.scandium.dtls.x509.StaticNewAdvancedCertificateVerifier;
import org.json.JSONObject;

/** DTLS for client and server, with the suites alone that RFC 7252 section 9.1.3 demands. */
class Secure {
    /** What sends from and hears at an address, with what is held: psk and identity, or the files cert, key and ca. */
    static DTLSConnector connector(Configuration configuration, InetSocketAddress address, JSONObject held)
            throws IOException, GeneralSecurityException {
        DtlsConnectorConfig.Builder builder = DtlsConnectorConfig.builder(configuration).setAddress(address);
        if (held.has("psk")) {
            builder.setAsList(DtlsConfig.DTLS_CIPHER_SUITES, CipherSuite.TLS_PSK_WITH_AES_128_CCM_8);
            builder.setAdvancedPskStore(new AdvancedSinglePskStore(held.getString("identity"),
                    held.getString("psk").getBytes(StandardCharsets.UTF_8)));
        } else {
            builder.setAsList(DtlsConfig.DTLS_CIPHER_SUITES, CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8);
            SslContextUtil.Credentials own;
            try (InputStream both = new SequenceInputStream(new FileInputStream(held.getString("cert")),
                    new FileInputStream(held.getString("key")))) {
                own = SslContextUtil.loadPemCredentials(both);
            }
            builder.setCertificateIdentityProvider(new SingleCertificateProvider(own.getPrivateKey(),
                    own.getCertificateChain(), CertificateType.X_509));
            builder.setAdvancedCertificateVerifier(StaticNewAdvancedCertificateVerifier.builder()
                    .setTrustedCertificates(SslContextUtil.loadTrustedCertificates(held.getString("ca"))).build());
        }
        return new DTLSConnector(builder.build());
    }
}
