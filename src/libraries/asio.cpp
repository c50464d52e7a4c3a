// The one translation unit that holds Boost.Asio's code; everybody else only declares it.
#include <boost/asio/impl/src.hpp>
