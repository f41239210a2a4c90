// A server made with coap-rs: server ADDRESS PORT, with a value of 20 octets at every path, which PUT replaces.
use coap::request::{CoapRequest, Method, Status};
use coap::Server;
use std::net::SocketAddr;
use std::sync::Mutex;

static VALUE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

async fn answer(mut request: Box<CoapRequest<SocketAddr>>) -> Box<CoapRequest<SocketAddr>> {
    let mut value = VALUE.lock().expect("nobody panics with it");
    let put = *request.get_method() == Method::Put;
    if put {
        *value = request.message.payload.clone();
    }
    if let Some(response) = &mut request.response {
        if put {
            response.set_status(Status::Changed);
        } else {
            response.message.payload = value.clone();
        }
    }
    request
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    *VALUE.lock().expect("nobody has it yet") = b"01234567890123456789".to_vec();
    let server = Server::new_udp(format!("{}:{}", words[1], words[2])).expect("the port is free");
    server.run(answer).await.expect("it serves");
}
