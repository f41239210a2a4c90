// Package secure has DTLS for client and server, with the suites alone that RFC 7252 section 9.1.3 demands.
package secure

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"

	"github.com/pion/dtls/v2"
)

type credentials struct {
	PSK      string `json:"psk"`
	Identity string `json:"identity"`
	Cert     string `json:"cert"`
	Key      string `json:"key"`
	CA       string `json:"ca"`
}

// Config is of what is held, in JSON: psk and identity, or the files cert, key and ca.
func Config(held string) (*dtls.Config, error) {
	var have credentials
	if err := json.Unmarshal([]byte(held), &have); err != nil {
		return nil, err
	}
	if have.PSK != "" {
		return &dtls.Config{
			CipherSuites:    []dtls.CipherSuiteID{dtls.TLS_PSK_WITH_AES_128_CCM_8},
			PSKIdentityHint: []byte(have.Identity),
			PSK: func([]byte) ([]byte, error) {
				return []byte(have.PSK), nil
			},
		}, nil
	}
	pair, err := tls.LoadX509KeyPair(have.Cert, have.Key)
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(have.CA)
	if err != nil {
		return nil, err
	}
	believed := x509.NewCertPool()
	if !believed.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s: no certificate", have.CA)
	}
	return &dtls.Config{
		CipherSuites: []dtls.CipherSuiteID{dtls.TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8},
		Certificates: []tls.Certificate{pair},
		RootCAs:      believed,
		ClientCAs:    believed,
		ClientAuth:   dtls.RequireAndVerifyClientCert,
	}, nil
}
