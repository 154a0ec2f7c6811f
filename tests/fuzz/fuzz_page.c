/* Any bytes as a shard's page: refused, or all values within their bounds. */
#include <stdlib.h>
#include <string.h>

#include "proto/page.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct page_work	work;
	uint64_t		incarnation = 0;

	if (size >= sizeof(struct page_head))
		memcpy(&incarnation, data + offsetof(struct page_head,
		    incarnation), sizeof(incarnation));
	if (page_parse(data, size, incarnation + 1, &work) == 0)
		abort();
	if (page_parse(data, size, incarnation, &work) == -1)
		return (0);
	if (size < PAGE_WORK_AT || work.what >= PAGE_NWHATS ||
	    strcmp(page_what_name(work.what), "unknown") == 0)
		abort();
	return (0);
}
