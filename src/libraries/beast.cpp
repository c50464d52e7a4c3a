// The one translation unit that holds Boost.Beast's code; everybody else only declares it.
#include <boost/beast/src.hpp>
