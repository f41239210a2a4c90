#include "alert.h"

#define SAYS(what) (client ? "the client " what : "the server " what)

const char *copal__alert_text(uint8_t description, bool client)
{
    switch (description) {
    case 0:
        return SAYS("closed the session");
    case 20: /* bad_record_mac */
    case 51: /* decrypt_error */
        return SAYS("says that the keys differ");
    case 40: /* handshake_failure */
    case 47: /* illegal_parameter */
    case 71: /* insufficient_security */
        return SAYS("shares no way of protection with us");
    case 42: /* bad_certificate */
    case 43: /* unsupported_certificate */
    case 44: /* certificate_revoked */
    case 46: /* certificate_unknown */
        return SAYS("does not accept our certificate");
    case 45:
        return SAYS("says that our certificate has expired");
    case 48: /* unknown_ca */
        return SAYS("does not know the authority of our certificate");
    case 49:
        return SAYS("denies us access");
    case 70: /* protocol_version */
        return SAYS("does not speak DTLS 1.2");
    case 80:
        return SAYS("had an error of its own");
    case 115: /* unknown_psk_identity (RFC 4279 section 2) */
        return SAYS("does not know our identity");
    case 116: /* certificate_required (RFC 8446 section 6) */
        return SAYS("wants a certificate of us");
    default:
        return SAYS("refused");
    }
}
