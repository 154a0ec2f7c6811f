/* Lines of the log that clients could bring about as often as they like. */
#include "gatewayd/complaint.h"

int
complaint_due(struct complaint *c, uint64_t now, uint64_t *unsaid)
{
	if (now < c->next) {
		c->unsaid++;
		return (0);
	}
	*unsaid = c->unsaid;
	c->unsaid = 0;
	c->next = now + COMPLAINT_MS;
	return (1);
}
