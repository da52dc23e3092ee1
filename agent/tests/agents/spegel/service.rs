//! What an agent asks: a service that gives one text to everybody, over HTTP or HTTPS.

use peer_exchange_scenarios::Authority;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Nobody is waited for any longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A service that answers until the test's process ends.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) at: SocketAddr,
    body: Arc<Mutex<String>>,
}

impl Service {
    pub(crate) fn start(ip: IpAddr, body: &str) -> Self {
        Self::with(ip, body, None)
    }

    /// Over TLS, for clients that show a certificate of this authority.
    pub(super) fn start_tls(ip: IpAddr, body: &str, authority: &Authority) -> Self {
        let (key, certificate) = authority.server_pem(&ip.to_string());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(der(&authority.pem())).unwrap();
        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![der(&certificate)], key)
            .unwrap();
        Self::with(ip, body, Some(Arc::new(config)))
    }

    fn with(ip: IpAddr, body: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let service = Self {
            at: listener.local_addr().unwrap(),
            body: Arc::new(Mutex::new(body.to_owned())),
        };
        let body = Arc::clone(&service.body);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (body, tls) = (body.lock().unwrap().clone(), tls.clone());
                std::thread::spawn(move || serve(stream, &body, tls));
            }
        });
        service
    }

    pub(crate) fn answer(&self, body: &str) {
        body.clone_into(&mut self.body.lock().unwrap());
    }
}

fn serve(stream: TcpStream, body: &str, tls: Option<Arc<ServerConfig>>) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    match tls {
        None => answer(stream, body),
        Some(tls) => {
            if let Ok(connection) = ServerConnection::new(tls) {
                answer(StreamOwned::new(connection, stream), body);
            }
        }
    }
}

/// One request on a connection; whoever goes away, goes away.
fn answer(mut stream: impl Read + Write, body: &str) {
    let mut request = [0; 2048];
    match stream.read(&mut request) {
        Ok(1..) => {}
        _ => return,
    }
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
    let _ = stream.flush();
}
