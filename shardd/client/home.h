/* The way of an idle HTTP connection back to the gateway. */
#ifndef SHARDD_HOME_H
#define SHARDD_HOME_H

#include "common/bytes.h"

struct conn;

/* Send c to the gateway, which will read its next request; early was read of that
 * already. */
void	 home_send(struct conn *c, struct slice early);

#endif
