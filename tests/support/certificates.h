/* Certificates made for one run of the tests, so that none of them ever gets old. */
#ifndef TESTS_SUPPORT_CERTIFICATES_H
#define TESTS_SUPPORT_CERTIFICATES_H

/** Makes a new folder with these files, PEM, and returns its path: each has a certificate, those that lead to its authority,
 *  and its private key.
 *    authority        whom tests believe
 *    other_authority  whom they do not
 *    host             of authority, for host.example, 127.0.0.1 and ::1
 *    host_key         the key of `host` alone; host_only: its certificate alone; locked_key: its key, encrypted
 *    rsa              as host, with an RSA key
 *    chain            as host, of an authority in between, which comes along
 *    named            without SubjectAltName; its common name is host.example
 *    wildcard         for *.site.example
 *    expired, future  as host; no more, and not yet, valid
 *    stranger         as host, of other_authority
 *    client           of authority, for client.example
 *    for_servers      as host, to be shown by servers alone; for_clients: by clients alone
 *    nothing          no certificate, and no key */
const char *certificates_make(void);
/** The path of one of them; lives until the next call but three. */
const char *certificates_file(const char *name);
/** Removes all of it. */
void certificates_remove(void);

#endif
