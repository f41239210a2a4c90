#define _XOPEN_SOURCE 700 /* mkdtemp */
#include "certificates.h"

#include <dirent.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_NAMES "DNS:host.example,IP:127.0.0.1,IP:::1"
enum { AUTHORITY, OTHER_AUTHORITY, BETWEEN, CERTIFICATES = 15, DAY = 24 * 60 * 60 };

static const struct {
    const char *file, *common_name, *names;
    int issuer;          /* its own: an authority */
    int from, until;     /* days from today */
    int bits;            /* of an RSA key; 0: of P-256 */
    const char *purpose; /* NULL: any */
} plan[CERTIFICATES] = {
    [AUTHORITY] = {"authority", "authority", NULL, AUTHORITY, -2, 2, 0, NULL},
    [OTHER_AUTHORITY] = {"other_authority", "other authority", NULL, OTHER_AUTHORITY, -2, 2, 0, NULL},
    [BETWEEN] = {"between", "authority in between", NULL, AUTHORITY, -2, 2, 0, NULL},
    {"host", "a host", HOST_NAMES, AUTHORITY, -1, 1, 0, NULL},
    {"rsa", "a host", HOST_NAMES, AUTHORITY, -1, 1, 2048, NULL},
    {"chain", "a host", HOST_NAMES, BETWEEN, -1, 1, 0, NULL},
    {"named", "host.example", NULL, AUTHORITY, -1, 1, 0, NULL},
    {"wildcard", "a host", "DNS:*.site.example", AUTHORITY, -1, 1, 0, NULL},
    {"expired", "a host", HOST_NAMES, AUTHORITY, -2, -1, 0, NULL},
    {"future", "a host", HOST_NAMES, AUTHORITY, 1, 2, 0, NULL},
    {"stranger", "a host", HOST_NAMES, OTHER_AUTHORITY, -1, 1, 0, NULL},
    {"client", "client.example", "DNS:client.example", AUTHORITY, -1, 1, 0, NULL},
    {"for_servers", "server.example", HOST_NAMES, AUTHORITY, -1, 1, 0, "serverAuth"},
    {"for_clients", "client.example", HOST_NAMES, AUTHORITY, -1, 1, 0, "clientAuth"},
    {"nothing", NULL, NULL, 0, 0, 0, 0, NULL},
};

static char folder[] = "/tmp/copal-certificates-XXXXXX";
static X509 *made[CERTIFICATES];
static EVP_PKEY *keys[CERTIFICATES];

static void must(int done, const char *what)
{
    if (done)
        return;
    fprintf(stderr, "certificates: %s\n", what);
    abort();
}

static void extend(X509 *certificate, int extension, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, extension, value);
    must(e && X509_add_ext(certificate, e, -1) == 1, value);
    X509_EXTENSION_free(e);
}

static void make(int i)
{
    bool authority = i <= BETWEEN;
    X509 *certificate = made[i] = X509_new();
    EVP_PKEY *key = keys[i] = plan[i].bits ? EVP_RSA_gen((unsigned)plan[i].bits) : EVP_EC_gen("P-256");
    X509_NAME *name = X509_get_subject_name(certificate);
    must(key && name, "out of memory");
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), i + 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), (long)plan[i].from * DAY);
    X509_gmtime_adj(X509_getm_notAfter(certificate), (long)plan[i].until * DAY);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)plan[i].common_name, -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(made[plan[i].issuer]));
    X509_set_pubkey(certificate, key);
    extend(certificate, NID_basic_constraints, authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(certificate, NID_key_usage,
           authority ? "critical,keyCertSign,digitalSignature" : "critical,digitalSignature");
    if (plan[i].names)
        extend(certificate, NID_subject_alt_name, plan[i].names);
    if (plan[i].purpose)
        extend(certificate, NID_ext_key_usage, plan[i].purpose);
    must(X509_sign(certificate, keys[plan[i].issuer], EVP_sha256()) > 0, "cannot be signed");
}

static FILE *create(const char *name)
{
    FILE *file = fopen(certificates_file(name), "w");
    must(file != NULL, name);
    return file;
}

static void write_one(int i)
{
    FILE *file = create(plan[i].file);
    if (plan[i].common_name) {
        PEM_write_X509(file, made[i]);
        if (plan[i].issuer == BETWEEN)
            PEM_write_X509(file, made[BETWEEN]);
        PEM_write_PrivateKey(file, keys[i], NULL, NULL, 0, NULL, NULL);
    }
    must(fclose(file) == 0, plan[i].file);
    if (strcmp(plan[i].file, "host") != 0)
        return;
    file = create("host_only");
    PEM_write_X509(file, made[i]);
    fclose(file);
    file = create("host_key");
    PEM_write_PrivateKey(file, keys[i], NULL, NULL, 0, NULL, NULL);
    fclose(file);
    file = create("locked_key");
    PEM_write_PrivateKey(file, keys[i], EVP_aes_128_cbc(), (const unsigned char *)"word", 4, NULL, NULL);
    fclose(file);
}

const char *certificates_make(void)
{
    must(mkdtemp(folder) != NULL, folder);
    for (int i = 0; i < CERTIFICATES; i++) {
        if (plan[i].common_name)
            make(i);
        write_one(i);
    }
    for (int i = 0; i < CERTIFICATES; i++) {
        X509_free(made[i]);
        EVP_PKEY_free(keys[i]);
    }
    return folder;
}

const char *certificates_file(const char *name)
{
    static char paths[4][sizeof folder + 256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

void certificates_remove(void)
{
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        unlink(certificates_file(entry->d_name)); /* fails for . and .. */
    closedir(directory);
    rmdir(folder);
}
