/* pact: requests. */
#ifndef SHARDD_APPS_PACT_HTTP_H
#define SHARDD_APPS_PACT_HTTP_H

#include "shardd/kennel.h"

/* kennel_app's receive. */
void	 pact_receive(struct kennel_request *q);

#endif
