// The one translation unit that holds Asio's TLS; everybody else only declares it.
#include <boost/asio/ssl/impl/src.hpp>
