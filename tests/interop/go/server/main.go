// A server made with go-coap: server ADDRESS PORT [SZX [HELD]]; says `listening on` once it can be asked. Its blocks
// have 2^(SZX + 4) octets at most. With what is held (see package secure) it speaks DTLS. Where ADDRESS is a group, it has
// all addresses, and is a member.
//
// go-coap leaves to the application what it does not do itself: ETags, preconditions, the list of links, observers.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"copal/tests/interop/go/secure"

	"github.com/plgd-dev/go-coap/v3/dtls"
	"github.com/plgd-dev/go-coap/v3/message"
	"github.com/plgd-dev/go-coap/v3/message/codes"
	"github.com/plgd-dev/go-coap/v3/mux"
	coapNet "github.com/plgd-dev/go-coap/v3/net"
	"github.com/plgd-dev/go-coap/v3/net/blockwise"
	"github.com/plgd-dev/go-coap/v3/options"
	"github.com/plgd-dev/go-coap/v3/udp"
	"github.com/plgd-dev/go-coap/v3/udp/client"
)

type observer struct {
	conn    mux.Conn
	token   message.Token
	changed chan struct{} // holds one: several changes while it is told of one are one more
}

// A value that all four methods act upon, with an ETag and preconditions, and observers.
type value struct {
	sync.Mutex
	body      []byte
	exists    bool
	version   uint32
	maxAge    *uint32
	observers map[string]*observer
}

func newValue(body []byte) *value {
	return &value{body: body, exists: body != nil, version: 2, observers: map[string]*observer{}}
}

func (v *value) etag() []byte {
	return binary.BigEndian.AppendUint16(nil, uint16(v.version))
}

func (v *value) failed(request *mux.Message) bool {
	if v.exists && request.HasOption(message.IfNoneMatch) {
		return true
	}
	wanted := matching(request, message.IfMatch)
	if len(wanted) == 0 {
		return false
	}
	for _, etag := range wanted {
		if v.exists && (len(etag) == 0 || bytes.Equal(etag, v.etag())) {
			return false
		}
	}
	return true
}

func matching(request *mux.Message, number message.OptionID) (values [][]byte) {
	for _, option := range request.Options() {
		if option.ID == number {
			values = append(values, option.Value)
		}
	}
	return values
}

// The state, for a GET and for a notification alike.
func (v *value) state(w interface {
	SetCode(codes.Code)
	SetContentFormat(message.MediaType)
	SetETag([]byte) error
	SetOptionUint32(message.OptionID, uint32)
}) []byte {
	if !v.exists {
		w.SetCode(codes.NotFound)
		return nil
	}
	w.SetCode(codes.Content)
	w.SetContentFormat(message.TextPlain)
	check(w.SetETag(v.etag()))
	if v.maxAge != nil {
		w.SetOptionUint32(message.MaxAge, *v.maxAge)
	}
	return v.body
}

func (v *value) ServeCOAP(w mux.ResponseWriter, request *mux.Message) {
	v.Lock()
	defer v.Unlock()
	response := w.Message()
	if request.Code() == codes.GET {
		v.get(w, request)
		return
	}
	if v.failed(request) {
		response.SetCode(codes.PreconditionFailed)
		return
	}
	switch request.Code() {
	case codes.PUT, codes.POST:
		body, err := request.ReadBody()
		check(err)
		response.SetCode(codes.Changed)
		if request.Code() == codes.PUT && !v.exists {
			response.SetCode(codes.Created)
		}
		v.body, v.exists = body, true
	case codes.DELETE:
		response.SetCode(codes.Deleted)
		v.body, v.exists = nil, false
	default:
		response.SetCode(codes.MethodNotAllowed)
		return
	}
	v.version++
	for _, each := range v.observers {
		select {
		case each.changed <- struct{}{}:
		default:
		}
	}
}

func (v *value) get(w mux.ResponseWriter, request *mux.Message) {
	response := w.Message()
	for _, etag := range matching(request, message.ETag) {
		if v.exists && bytes.Equal(etag, v.etag()) {
			response.SetCode(codes.Valid)
			check(response.SetETag(v.etag()))
			return
		}
	}
	key := w.Conn().RemoteAddr().String() + " " + request.Token().String()
	observe, err := request.Observe()
	if err == nil && observe == 0 && v.exists {
		if _, known := v.observers[key]; !known {
			added := &observer{w.Conn(), append(message.Token{}, request.Token()...), make(chan struct{}, 1)}
			v.observers[key] = added
			go v.follow(key, added)
		}
		response.SetObserve(v.version)
	} else if err == nil && observe == 1 {
		v.remove(key)
	}
	if body := v.state(response); body != nil {
		response.SetBody(bytes.NewReader(body))
	}
}

func (v *value) remove(key string) {
	if each, known := v.observers[key]; known {
		close(each.changed)
		delete(v.observers, key)
	}
}

// Tells an observer of each change by a CON that is waited for, until it is gone, or what it observes.
func (v *value) follow(key string, each *observer) {
	for range each.changed {
		if !v.tell(each) {
			v.Lock()
			v.remove(key)
			v.Unlock()
		}
	}
}

func (v *value) tell(each *observer) bool {
	notification := each.conn.AcquireMessage(each.conn.Context())
	defer each.conn.ReleaseMessage(notification)
	notification.SetToken(each.token)
	v.Lock()
	body, exists := v.state(notification), v.exists
	if exists {
		notification.SetObserve(v.version)
		notification.SetBody(bytes.NewReader(body))
	}
	v.Unlock()
	return each.conn.WriteMessage(notification) == nil && exists
}

// Answers after its empty acknowledgement has left: go-coap sends that when a handler wrote nothing.
func slow(w mux.ResponseWriter, request *mux.Message) {
	conn, token := w.Conn(), append(message.Token{}, request.Token()...)
	go func() {
		time.Sleep(500 * time.Millisecond)
		response := conn.AcquireMessage(conn.Context())
		defer conn.ReleaseMessage(response)
		response.SetCode(codes.Content)
		response.SetToken(token)
		response.SetContentFormat(message.TextPlain)
		response.SetBody(strings.NewReader("that took a while"))
		if err := conn.WriteMessage(response); err != nil {
			log.Print(err)
		}
	}()
}

// Counts how often POST was executed.
type count struct {
	sync.Mutex
	posts int
}

func (c *count) ServeCOAP(w mux.ResponseWriter, request *mux.Message) {
	c.Lock()
	defer c.Unlock()
	if request.Code() == codes.POST {
		c.posts++
		w.Message().SetCode(codes.Changed)
		return
	}
	check(w.SetResponse(codes.Content, message.TextPlain, strings.NewReader(strconv.Itoa(c.posts))))
}

// A socket with the address, or where that is a group, with all addresses of the same version of IP, and a member on each
// interface that can be one.
func listen(address, port string) *coapNet.UDPConn {
	group := net.ParseIP(address)
	if !group.IsMulticast() {
		socket, err := coapNet.NewListenUDP("udp", net.JoinHostPort(address, port))
		check(err)
		return socket
	}
	network := "udp6"
	if group.To4() != nil {
		network = "udp4"
	}
	socket, err := coapNet.NewListenUDP(network, ":"+port)
	check(err)
	interfaces, err := net.Interfaces()
	check(err)
	for i := range interfaces {
		if interfaces[i].Flags&net.FlagMulticast != 0 {
			check(socket.JoinGroup(&interfaces[i], &net.UDPAddr{IP: group}))
		}
	}
	return socket
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	address, port := os.Args[1], os.Args[2]
	router := mux.NewRouter()
	links := []string{}
	add := func(path string, handler mux.Handler) {
		check(router.Handle(path, handler))
		links = append(links, "<"+path+">")
	}
	add("/test", newValue([]byte("21.5")))
	add("/validate", newValue([]byte("state")))
	add("/large", newValue(bytes.Repeat([]byte("0123456789"), 300)))
	add("/made", newValue(nil))
	add("/gone", newValue([]byte("x")))
	add("/big", newValue(nil))
	brief, second := newValue([]byte("1")), uint32(1)
	brief.maxAge = &second
	add("/brief", brief)
	add("/v", newValue([]byte("01234567890123456789"))) // of the measurements
	add("/slow", mux.HandlerFunc(slow))
	add("/count", &count{})
	core := strings.Join(links, ",")
	router.HandleFunc("/.well-known/core", func(w mux.ResponseWriter, _ *mux.Message) {
		check(w.SetResponse(codes.Content, message.AppLinkFormat, strings.NewReader(core)))
	})

	szx := blockwise.SZX1024
	if len(os.Args) > 3 {
		given, err := strconv.Atoi(os.Args[3])
		check(err)
		szx = blockwise.SZX(given)
	}
	errors := options.WithErrors(func(err error) { log.Print(err) })
	blocks := options.WithBlockwise(true, szx, 2*time.Minute)
	inactive := options.WithInactivityMonitor(10*time.Minute, func(conn *client.Conn) { _ = conn.Close() })
	if len(os.Args) > 4 {
		config, err := secure.Config(os.Args[4])
		check(err)
		listener, err := coapNet.NewDTLSListener("udp", address+":"+port, config)
		check(err)
		fmt.Println("listening on", port)
		check(dtls.NewServer(options.WithMux(router), errors, blocks, inactive).Serve(listener))
		return
	}
	socket := listen(address, port)
	fmt.Println("listening on", port)
	check(udp.NewServer(options.WithMux(router), errors, blocks, inactive).Serve(socket))
}
