// The one translation unit that holds Boost.JSON's code; everybody else only declares it.
#include <boost/json/src.hpp>
