// A client made with go-coap: takes one JSON object a line, asks, and answers with one; all at once, each from a port of
// its own.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp"
	"github.com/plgd-dev/go-coap/v3/udp/client"
)

type octets []byte

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

func (o octets) MarshalText() ([]byte, error) {
	return []byte(hex.EncodeToString(o)), nil
}

type ask struct {
	ID          int64              `json:"id"`
	Method      string             `json:"method"`
	URI         string             `json:"uri"`
	Payload     octets             `json:"payload"`
	Non         bool               `json:"non"`
	Format      *message.MediaType `json:"format"`
	Accept      *message.MediaType `json:"accept"`
	ETag        *octets            `json:"etag"`
	IfMatch     *octets            `json:"if_match"`
	IfNoneMatch bool               `json:"if_none_match"`
}

type answer struct {
	ID      int64   `json:"id"`
	Code    string  `json:"code,omitempty"`
	Payload octets  `json:"payload"`
	ETag    *octets `json:"etag"`
	Error   string  `json:"error,omitempty"`
}

var methods = map[string]codes.Code{"get": codes.GET, "post": codes.POST, "put": codes.PUT, "delete": codes.DELETE}

func request(conn *client.Conn, ask *ask, path string) (*pool.Message, error) {
	code, known := methods[ask.Method]
	if !known {
		return nil, fmt.Errorf("go-coap has no method %s", ask.Method)
	}
	request := conn.AcquireMessage(conn.Context())
	token, err := message.GetToken()
	if err != nil {
		return nil, err
	}
	request.SetCode(code)
	request.SetToken(token)
	if ask.Non {
		request.SetType(message.NonConfirmable)
	}
	if err := request.SetPath(path); err != nil {
		return nil, err
	}
	if len(ask.Payload) > 0 {
		request.SetBody(bytes.NewReader(ask.Payload))
	}
	if ask.Format != nil {
		request.SetContentFormat(*ask.Format)
	}
	if ask.Accept != nil {
		request.SetAccept(*ask.Accept)
	}
	if ask.ETag != nil {
		request.AddOptionBytes(message.ETag, *ask.ETag)
	}
	if ask.IfMatch != nil {
		request.AddOptionBytes(message.IfMatch, *ask.IfMatch)
	}
	if ask.IfNoneMatch {
		request.AddOptionBytes(message.IfNoneMatch, nil)
	}
	return request, nil
}

func told(ask *ask, response *pool.Message) (*answer, error) {
	payload, err := response.ReadBody()
	if err != nil {
		return nil, err
	}
	told := &answer{ID: ask.ID, Code: fmt.Sprintf("%d.%02d", response.Code()>>5, response.Code()&31), Payload: payload}
	if etag, err := response.ETag(); err == nil {
		told.ETag = (*octets)(&etag)
	}
	return told, nil
}

func asked(ask *ask) (*answer, error) {
	uri, err := url.Parse(ask.URI)
	if err != nil {
		return nil, err
	}
	host := uri.Host
	if uri.Port() == "" {
		host += ":5683"
	}
	context, done := context.WithTimeout(context.Background(), time.Minute)
	defer done()
	conn, err := udp.Dial(host, options.WithContext(context),
		options.WithTransmission(1, 2*time.Second, 4),
		options.WithBlockwise(true, blockwise.SZX1024, time.Minute))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	request, err := request(conn, ask, strings.TrimPrefix(uri.Path, "/"))
	if err != nil {
		return nil, err
	}
	response, err := conn.Do(request)
	if err != nil {
		return nil, err
	}
	return told(ask, response)
}

var output sync.Mutex

func say(told *answer) {
	line, err := json.Marshal(told)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(line))
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		ask := &ask{}
		if err := json.Unmarshal(line, ask); err != nil {
			panic(err)
		}
		go func() {
			told, err := asked(ask)
			if err != nil {
				told = &answer{ID: ask.ID, Error: err.Error()}
			}
			say(told)
		}()
	}
}
