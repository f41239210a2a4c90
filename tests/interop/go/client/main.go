// A client made with go-coap: takes one JSON object a line, asks, and answers with one, or with one for each state that
// it observes, or for each member of a group; all at once, each from a port of its own.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"copal/tests/interop/go/secure"

	"github.com/plgd-dev/go-coap/v3/dtls"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/message/pool"
	coapNet "github.com/plgd-dev/go-coap/v3/net"
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
	Options     []option           `json:"options"`
	SZX         *blockwise.SZX     `json:"szx"`
	Observe     bool               `json:"observe"`
	Cancel      int64              `json:"cancel"`
}

type option struct {
	Number message.OptionID `json:"number"`
	Value  octets           `json:"value"`
}

type answer struct {
	ID      int64   `json:"id"`
	Code    string  `json:"code,omitempty"`
	Payload octets  `json:"payload"`
	ETag    *octets `json:"etag"`
	Observe *uint32 `json:"observe"`
	Size2   *uint32 `json:"size2"`
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
	if ask.Observe {
		request.SetObserve(0)
	}
	if ask.SZX != nil && len(ask.Payload) == 0 {
		request.SetOptionUint32(message.Block2, uint32(*ask.SZX)) // go-coap asks for no size by itself
	}
	for _, each := range ask.Options {
		request.AddOptionBytes(each.Number, each.Value)
	}
	return request, nil
}

func told(ask *ask, response *pool.Message) *answer {
	payload, err := response.ReadBody()
	if err != nil {
		return failure(ask, err)
	}
	told := &answer{ID: ask.ID, Code: fmt.Sprintf("%d.%02d", response.Code()>>5, response.Code()&31), Payload: payload}
	if etag, err := response.ETag(); err == nil {
		told.ETag = (*octets)(&etag)
	}
	if observe, err := response.Observe(); err == nil {
		told.Observe = &observe
	}
	if size, err := response.GetOptionUint32(message.Size2); err == nil {
		told.Size2 = &size
	}
	return told
}

func failure(ask *ask, err error) *answer {
	return &answer{ID: ask.ID, Error: err.Error()}
}

// With DTLS, where the program was given what it holds.
func dial(host string, opts ...udp.Option) (*client.Conn, error) {
	if len(os.Args) < 2 {
		return udp.Dial(host, opts...)
	}
	config, err := secure.Config(os.Args[1])
	if err != nil {
		return nil, err
	}
	return dtls.Dial(host, config, opts...)
}

// Asks all members of a group for what is at a path, and says what came of each.
func askGroup(limited context.Context, ask *ask, group net.IP, host, path string) error {
	network := "udp6"
	if group.To4() != nil {
		network = "udp4"
	}
	socket, err := coapNet.NewListenUDP(network, ":0")
	if err != nil {
		return err
	}
	defer socket.Close()
	server := udp.NewServer(options.WithContext(limited))
	served := make(chan error, 1)
	go func() { served <- server.Serve(socket) }()
	defer func() {
		server.Stop()
		<-served
	}()
	return server.Discover(limited, host, path, func(_ *client.Conn, response *pool.Message) { say(told(ask, response)) })
}

// Asks, and says what came: one answer, or each state until the observation is cancelled.
func do(ask *ask, cancelled <-chan int64) error {
	uri, err := url.Parse(ask.URI)
	if err != nil {
		return err
	}
	host := uri.Host
	if uri.Port() == "" {
		host += ":5683"
	}
	szx := blockwise.SZX1024
	if ask.SZX != nil {
		szx = *ask.SZX
	}
	limited, done := context.WithTimeout(context.Background(), 2*time.Minute)
	defer done()
	if group := net.ParseIP(uri.Hostname()); group.IsMulticast() {
		return askGroup(limited, ask, group, host, uri.Path)
	}
	conn, err := dial(host, options.WithContext(limited), options.WithTransmission(1, 2*time.Second, 4),
		options.WithBlockwise(true, szx, 2*time.Minute))
	if err != nil {
		return err
	}
	defer conn.Close()
	request, err := request(conn, ask, strings.TrimPrefix(uri.Path, "/"))
	if err != nil {
		return err
	}
	if uri.RawQuery != "" {
		for _, query := range strings.Split(uri.RawQuery, "&") {
			request.AddQuery(query)
		}
	}
	if !ask.Observe {
		response, err := conn.Do(request)
		if err == nil {
			say(told(ask, response))
		}
		return err
	}
	observation, err := conn.DoObserve(request, func(response *pool.Message) { say(told(ask, response)) })
	if err != nil {
		return err
	}
	id := <-cancelled
	if err := observation.Cancel(limited); err != nil {
		fmt.Println(err) // of what is gone, it does not know that the observation is over
	}
	say(&answer{ID: id})
	return nil
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
	observations := map[int64]chan int64{}
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
		if ask.Cancel != 0 {
			observations[ask.Cancel] <- ask.ID
			continue
		}
		cancelled := make(chan int64, 1)
		if ask.Observe {
			observations[ask.ID] = cancelled
		}
		go func() {
			if err := do(ask, cancelled); err != nil {
				say(failure(ask, err))
			}
		}()
	}
}
