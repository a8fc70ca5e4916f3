//! Judging keys as gpg does.

use sequoia_openpgp::cert::amalgamation::key::ValidErasedKeyAmalgamation;
use sequoia_openpgp::packet::key::PublicParts;
use sequoia_openpgp::packet::{Packet, Signature};
use sequoia_openpgp::policy::{HashAlgoSecurity, Policy};
use sequoia_openpgp::types::{AEADAlgorithm, SymmetricAlgorithm};

/// Accepts every algorithm: for reading old archives, and for signing with the key a user names. Expiry and revocation
/// are still seen.
#[derive(Debug)]
pub(crate) struct AnyAlgorithm;

type Verdict = sequoia_openpgp::Result<()>;

impl Policy for AnyAlgorithm {
    fn signature(&self, _: &Signature, _: HashAlgoSecurity) -> Verdict {
        Ok(())
    }

    fn key(&self, _: &ValidErasedKeyAmalgamation<'_, PublicParts>) -> Verdict {
        Ok(())
    }

    fn symmetric_algorithm(&self, _: SymmetricAlgorithm) -> Verdict {
        Ok(())
    }

    fn aead_algorithm(&self, _: AEADAlgorithm) -> Verdict {
        Ok(())
    }

    fn packet(&self, _: &Packet) -> Verdict {
        Ok(())
    }
}
