/* Any text as a browser's User-Agent: what it is taken for is in it, or is a word of ours. */
#include <stdlib.h>
#include <string.h>

#include "shardd/ape/agent.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char		*text = slice_dup(slice_of(data, size));
	struct agent	 a;

	if (text == NULL)
		return (0);
	agent_parse(&a, text);
	const struct slice	 all[] = { a.browser, a.browser_version,
				     a.engine, a.os, a.os_version,
				     a.device_type, a.vendor, a.model };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i].len == 0)
			continue;
		/* One of ours is short; another one ends with the text. */
		if (all[i].len > 32 && (all[i].data < text ||
		    all[i].data + all[i].len > text + strlen(text)))
			abort();
		/* All of it can be read. */
		if (memchr(all[i].data, '\0', all[i].len) != NULL)
			abort();
	}
	free(text);
	return (0);
}
