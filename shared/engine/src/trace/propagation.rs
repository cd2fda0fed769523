//! How a trace context comes in and goes out: which headers are read and written.

use http::HeaderMap;
use orchestrator_core::run::Carrier;

use super::context::{Context, checked};
use super::xray;

/// Which headers carry a trace, as in `OTEL_PROPAGATORS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Propagators {
    /// W3C `traceparent` and `tracestate`.
    pub trace_context: bool,
    /// W3C `baggage`.
    pub baggage: bool,
    /// AWS X-Ray's `X-Amzn-Trace-Id`; read where there is no `traceparent`.
    pub xray: bool,
}

impl Default for Propagators {
    /// The default of the OpenTelemetry specification.
    fn default() -> Propagators {
        Propagators {
            trace_context: true,
            baggage: true,
            xray: false,
        }
    }
}

impl Propagators {
    /// What functions on AWS understand unless told otherwise.
    pub const ON_AWS: Propagators = Propagators {
        trace_context: true,
        baggage: true,
        xray: true,
    };

    /// The propagators of a list of names.
    ///
    /// # Errors
    /// With the name that is not known.
    pub fn named(list: &str) -> Result<Propagators, String> {
        let mut propagators = Propagators {
            trace_context: false,
            baggage: false,
            xray: false,
        };
        for name in list.split(',').map(str::trim) {
            match name {
                "tracecontext" => propagators.trace_context = true,
                "baggage" => propagators.baggage = true,
                "xray" | "xray-lambda" => propagators.xray = true,
                "none" => {}
                other => return Err(other.to_owned()),
            }
        }
        Ok(propagators)
    }

    /// What a request carries, without what is malformed or too long.
    pub fn extract(self, headers: &HeaderMap) -> Carrier {
        let joined = |name: &str| {
            let values = headers.get_all(name).iter();
            let values: Vec<&str> = values
                .filter_map(|value| value.to_str().ok())
                .map(str::trim)
                .filter(|value| !value.is_empty())
                .collect();
            (!values.is_empty()).then(|| values.join(","))
        };
        // By the standard, several parents are none.
        let parent = joined("traceparent")
            .filter(|_| self.trace_context && headers.get_all("traceparent").iter().count() == 1);
        let from_xray = || {
            let header = joined(xray::HEADER).filter(|_| self.xray)?;
            // Nobody keeps a segment that X-Ray has not sampled: there is nothing to be a child of.
            let segment = xray::parse(&header).filter(|segment| segment.is_sampled)?;
            Some(segment.traceparent())
        };
        let w3c = parent.filter(|parent| Context::parse(parent).is_some());
        checked(Carrier {
            state: joined("tracestate").filter(|_| w3c.is_some()),
            parent: w3c.or_else(from_xray),
            baggage: joined("baggage").filter(|_| self.baggage),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";

    #[test]
    fn headers_are_read_and_what_is_malformed_is_dropped() {
        let mut headers = HeaderMap::new();
        headers.insert("traceparent", HeaderValue::from_static(PARENT));
        headers.append("tracestate", HeaderValue::from_static("a=1"));
        headers.append("tracestate", HeaderValue::from_static("b=2"));
        headers.insert("baggage", HeaderValue::from_static("team=vision"));
        let read = Propagators::default().extract(&headers);
        assert_eq!(
            (
                read.parent.as_deref(),
                read.state.as_deref(),
                read.baggage.as_deref()
            ),
            (Some(PARENT), Some("a=1,b=2"), Some("team=vision"))
        );
        // Two parents are none, and a state without its parent means nothing.
        headers.append("traceparent", HeaderValue::from_static(PARENT));
        let read = Propagators::default().extract(&headers);
        assert_eq!((read.parent, read.state), (None, None));
        assert_eq!(read.baggage.as_deref(), Some("team=vision"));
        headers.insert("baggage", HeaderValue::from_bytes(&[b'x'; 8_193]).unwrap());
        assert_eq!(Propagators::default().extract(&headers), Carrier::default());
    }

    #[test]
    fn the_list_of_propagators_decides() {
        let mut headers = HeaderMap::new();
        headers.insert(xray::HEADER, HeaderValue::from_static(XRAY));
        let parent = |list: &str, headers: &HeaderMap| {
            let propagators = Propagators::named(list).unwrap();
            propagators.extract(headers).parent
        };
        let converted = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";
        assert_eq!(parent("tracecontext,baggage", &headers), None);
        assert_eq!(parent("xray", &headers).as_deref(), Some(converted));
        headers.insert("traceparent", HeaderValue::from_static(PARENT));
        assert_eq!(parent("tracecontext, xray", &headers).as_deref(), Some(PARENT));
        assert_eq!(parent("xray", &headers).as_deref(), Some(converted));
        assert_eq!(parent("none", &headers), None);
        headers.remove("traceparent");
        let not_sampled = XRAY.replace("Sampled=1", "Sampled=0");
        headers.insert(xray::HEADER, HeaderValue::from_str(&not_sampled).unwrap());
        assert_eq!(parent("xray", &headers), None);
        assert_eq!(Propagators::named("tracecontext,b3"), Err("b3".to_owned()));
    }
}
