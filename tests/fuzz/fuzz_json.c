/* What jansson takes for JSON is JSON to us, too, unless it is too deep. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/events/json.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t	 depth = 0;
	json_t	*j;

	if (size > 0 && memchr(data, 0, size) != NULL)
		return (0);		/* where jansson sees an end */
	for (size_t i = 0; i < size; i++)
		depth += data[i] == '[' || data[i] == '{';
	j = json_loadb((const char *)data, size, JSON_DECODE_ANY |
	    JSON_ALLOW_NUL, NULL);
	if (!json_valid(slice_of(data, size)) && j != NULL &&
	    depth <= JSON_DEPTH)
		abort();
	json_decref(j);
	return (0);
}
